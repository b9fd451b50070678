"""Thin adapters to real tools. Tasks use them; they know nothing of tasks."""

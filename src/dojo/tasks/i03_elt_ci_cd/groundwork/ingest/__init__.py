"""What brings the shop's data into the warehouse."""

"""Running workflows: checkouts of prepared pull requests, and act, GitLab and Jenkins executing the learner's files on them."""

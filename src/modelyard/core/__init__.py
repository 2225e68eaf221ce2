"""What every other package builds on: errors, files, typed settings, git, processes."""

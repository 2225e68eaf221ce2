"""Run the stages of any dvc.yaml in parallel, and read what DVC recorded; nothing here knows what stages do."""

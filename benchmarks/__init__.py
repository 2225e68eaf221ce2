"""What the pipeline costs, against the notebooks and against DVC itself: `make bench`, and see README.md here."""

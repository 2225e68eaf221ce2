"""Time and memory of the pipeline compared with the notebooks and with DVC: `make bench`; README.md explains it."""

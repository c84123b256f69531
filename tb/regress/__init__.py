"""Many seeds at once: seeds × configurations over the cores of this machine or of a Dask cluster."""

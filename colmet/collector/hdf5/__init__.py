"""The store HDF5: files with a group for each job."""

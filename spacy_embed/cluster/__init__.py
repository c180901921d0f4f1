"""The same work on a Dask cluster that is there already: nothing of Dask is imported unless a scheduler is named."""

"""Public downstream sets, one file each."""

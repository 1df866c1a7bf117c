"""History: every change of every attribute, recent ones in the store, older ones in Parquet files."""

"""One folder per outside data source or protocol. They never import each other."""

"""One folder per outside agency or counterpart."""

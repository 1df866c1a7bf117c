"""Road-name addresses (도로명주소) in the layouts of the national files."""

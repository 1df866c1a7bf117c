"""Where cameras look, as measured on the street: azimuth, field of view and reach of each camera of a site."""

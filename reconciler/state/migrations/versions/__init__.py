"""One module for each revision of the schema, named after its number."""

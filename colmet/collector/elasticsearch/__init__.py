"""The store Elasticsearch: a document for each row."""

"""The durable side: tables, the group-commit writer, queries, migrations."""

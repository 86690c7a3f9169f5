"""Alembic's environment: migrations run on the connection that `csms.store.schema` hands over, in its transaction."""

from alembic import context

from csms.store.tables import metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    render_as_batch=True,
    transaction_per_migration=False,
)
context.run_migrations()

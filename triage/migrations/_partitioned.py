"""A CreateModel that, on PostgreSQL, makes a table partitioned by a timestamp column."""

from typing import Any

from django.db import migrations


class CreatePartitionedModel(migrations.CreateModel):
    """Create the table ``PARTITION BY RANGE`` of a column on PostgreSQL, and as usual elsewhere.

    The primary key becomes ``(id, column)``, because PostgreSQL wants the partition column in it. A
    default partition catches rows of days for which no partition was made.
    """

    partition_column = "received_at"

    def database_forwards(self, app_label: str, schema_editor: Any, from_state: Any, to_state: Any) -> None:
        model = to_state.apps.get_model(app_label, self.name)
        if schema_editor.connection.vendor != "postgresql":
            super().database_forwards(app_label, schema_editor, from_state, to_state)
            return
        table, column = model._meta.db_table, self.partition_column
        sql, params = schema_editor.table_sql(model)
        sql = sql.replace('"id" bigint NOT NULL PRIMARY KEY', '"id" bigint NOT NULL', 1)
        schema_editor.execute(f'{sql} PARTITION BY RANGE ("{column}")', params or None)
        schema_editor.execute(f'ALTER TABLE "{table}" ADD PRIMARY KEY ("id", "{column}")')
        schema_editor.execute(f'CREATE TABLE "{table}_default" PARTITION OF "{table}" DEFAULT')
        schema_editor.deferred_sql.extend(schema_editor._model_indexes_sql(model))

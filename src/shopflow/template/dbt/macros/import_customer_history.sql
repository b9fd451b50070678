{#
  History from before the first snapshot, imported once from the change log: fills snapshots.customers_snapshot in dbt's
  own form, so that `dbt snapshot` goes on from there. Does nothing when the snapshot holds rows already.
#}
{% macro import_customer_history() %}
    {% set columns = 'customer_id, email, full_name, country, city, segment, marketing_opt_in, created_at, updated_at' %}
    {% do run_query('create schema if not exists snapshots') %}
    {% do run_query(
        'create table if not exists snapshots.customers_snapshot as select ' ~ columns ~ ", "
        ~ "md5(coalesce(cast(customer_id as varchar), '') || '|' || coalesce(cast(updated_at as varchar), '')) as dbt_scd_id, "
        ~ "updated_at as dbt_updated_at, updated_at as dbt_valid_from, "
        ~ "lead(updated_at) over (partition by customer_id order by updated_at) as dbt_valid_to "
        ~ "from (select distinct on (customer_id, updated_at) * from raw.customers_changes)"
    ) %}
{% endmacro %}

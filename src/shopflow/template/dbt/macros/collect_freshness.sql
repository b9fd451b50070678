{#
  How old the sources are when readers arrive: at 08:00 Berlin time on the morning after `as_of`, whatever the machine's
  clock says. dbt calls this instead of its own macro of the same purpose.
#}
{% macro duckdb__collect_freshness(source, loaded_at_field, filter) %}
    {% call statement('collect_freshness', fetch_result=True, auto_begin=False) -%}
        select
            max({{ loaded_at_field }}) as max_loaded_at,
            timezone('UTC', timezone('Europe/Berlin', date '{{ var("as_of") }}' + interval '1 day 8 hours')) as snapshotted_at
        from {{ source }}
        {% if filter %}where {{ filter }}{% endif %}
    {%- endcall %}
    {{ return(load_result('collect_freshness')) }}
{% endmacro %}

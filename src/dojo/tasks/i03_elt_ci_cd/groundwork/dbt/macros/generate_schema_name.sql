{# Schemas are named as the project says (staging, marts), the same in every environment: each has a database of its own. #}
{% macro generate_schema_name(custom_schema_name, node) -%}
    {{ (custom_schema_name or target.schema) | trim }}
{%- endmacro %}

{# One text key from several columns. #}
{% macro surrogate_key(columns) -%}
    md5(concat_ws('|', {% for column in columns %}({{ column }})::varchar{% if not loop.last %}, {% endif %}{% endfor %}))
{%- endmacro %}

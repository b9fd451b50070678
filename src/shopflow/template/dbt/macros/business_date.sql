{# The day a moment belongs to in ShopFlow's books: the date in Berlin of a UTC timestamp. #}
{% macro business_date(utc_timestamp) -%}
    timezone('Europe/Berlin', timezone('UTC', {{ utc_timestamp }}))::date
{%- endmacro %}

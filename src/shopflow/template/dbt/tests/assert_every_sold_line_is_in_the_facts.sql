-- Nothing that was ordered may be lost on the way to the facts.
select
    items.order_id,
    items.line_number
from {{ ref('stg_order_items') }} as items
anti join {{ ref('fact_sales') }} as sales
    on items.order_id = sales.order_id and items.line_number = sales.line_number

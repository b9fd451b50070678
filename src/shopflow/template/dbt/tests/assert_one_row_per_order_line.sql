-- The grain of fact_sales: an order line stands once.
select
    order_id,
    line_number,
    count(*) as times
from {{ ref('fact_sales') }}
group by order_id, line_number
having count(*) > 1

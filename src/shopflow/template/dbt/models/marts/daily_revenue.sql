select
    dates.date_day as business_date,
    sales.store_key,
    count(distinct sales.order_id) as orders,
    sum(sales.quantity)::bigint as units,
    sum(sales.line_revenue)::decimal(14, 2) as revenue_eur
from {{ ref('fact_sales') }} as sales
inner join {{ ref('dim_date') }} as dates on sales.date_key = dates.date_key
where sales.order_status in ('paid', 'shipped')
group by dates.date_day, sales.store_key

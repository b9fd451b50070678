select
    business_date,
    md5(store_id::varchar) as store_key,
    count(distinct order_id) as orders,
    sum(quantity)::bigint as units,
    sum(line_revenue)::decimal(14, 2) as revenue_eur
from sold_lines
where status in ('paid', 'shipped')
group by all

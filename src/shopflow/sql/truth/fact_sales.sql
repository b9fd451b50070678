select
    l.order_id,
    l.line_number,
    (
        -- The version valid when the order was placed; the first one if the order came before it.
        select coalesce(max_by(v.customer_key, v.valid_from) filter (v.valid_from <= l.ordered_at), min_by(v.customer_key, v.valid_from))
        from customer_versions v
        where v.customer_id = l.customer_id
    ) as customer_key,
    md5(l.product_id::varchar) as product_key,
    strftime(l.business_date, '%Y%m%d')::integer as date_key,
    md5(l.store_id::varchar) as store_key,
    l.status as order_status,
    l.quantity,
    l.unit_price_eur as unit_price,
    l.line_revenue,
    l.currency,
    l.updated_at
from sold_lines l

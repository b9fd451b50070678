-- Every order line with what it earned, in euros.
create or replace temp view sold_lines as
with dated as (
    select o.*, timezone('Europe/Berlin', timezone('UTC', o.ordered_at))::date as business_date
    from (select unnest(o) from last_orders) o
),
priced as (
    select
        d.*, i.line_number, i.product_id, i.quantity,
        (i.unit_price * r.eur_per_unit)::decimal(12, 2) as unit_price_eur,
        (i.quantity * i.unit_price * r.eur_per_unit)::decimal(14, 2) as amount_eur
    from dated d
    join (select distinct on (order_id, line_number) * from clean_order_items) i using (order_id)
    left join (select distinct on (rate_date, currency) * from clean_exchange_rates) r
        on r.currency = d.currency and r.rate_date = d.ordered_at::date
)
select *, case when status in ('paid', 'shipped') then amount_eur else 0 end::decimal(14, 2) as line_revenue
from priced;

-- What each source delivers, by the day on which it is delivered (feed_<table> with extract_date).
create or replace temp view feed_stores as
select store_id, code, name, country, currency, timezone, opened_on, c.day as extract_date
from store, calendar c;

create or replace temp view feed_products as
select
    p.product_id, p.sku, p.name, p.category,
    (price.list_cents / 100)::decimal(10, 2) as list_price_eur,
    (p.list_cents * p.cost_percent // 100 / 100)::decimal(10, 2) as cost_eur,
    roll(240, p.product_id, 'gone') > 4 as active,
    price.since + time '02:10' as updated_at,
    price.day as extract_date
from product p
join price using (product_id);

create or replace temp view feed_exchange_rates as
select
    c.day as rate_date,
    s.currency,
    ((s.base_rate + case when s.currency = 'EUR' then 0 else s.base_rate * (roll(21, epoch(c.day)::bigint, s.currency) - 10) // 2000 end)
        / 1000000)::decimal(12, 6) as eur_per_unit,
    c.day as extract_date
from calendar c, (select distinct currency, base_rate from store) s;

create or replace temp view feed_order_items as
select order_id, line_number, product_id, quantity, (cents / 100)::decimal(12, 2) as unit_price, day as extract_date
from new_lines;

create or replace temp view feed_orders as
with states as (
    select order_id, customer_id, store_id, currency, ordered_at, unnest([
        {'status': 'placed', 'updated_at': ordered_at}, {'status': 'paid', 'updated_at': paid_at},
        {'status': 'shipped', 'updated_at': shipped_at}, {'status': 'cancelled', 'updated_at': cancelled_at},
        {'status': 'returned', 'updated_at': returned_at}], recursive := true)
    from new_orders
)
select order_id, customer_id, store_id, max_by(status, updated_at) as status, currency, ordered_at, max(updated_at) as updated_at,
    updated_at::date as extract_date
from states
where updated_at is not null and updated_at::date <= getvariable('last')
group by order_id, customer_id, store_id, currency, ordered_at, updated_at::date;

create or replace temp view feed_payments as
with amounts as (
    select order_id, (sum(cents * quantity) / 100)::decimal(12, 2) as amount from new_lines group by order_id
),
moves as (
    select
        o.order_id, o.method, o.currency, o.paid_at, o.ordered_at, unnest([
            case when o.declined_first then {'number': 0, 'status': 'failed', 'updated_at': o.ordered_at + to_seconds(8)} end,
            case when o.paid_at is not null then {'number': 1, 'status': 'captured', 'updated_at': o.paid_at} end,
            case when o.paid_at is not null and coalesce(o.returned_at, o.cancelled_at) is not null
                then {'number': 1, 'status': 'refunded', 'updated_at': coalesce(o.returned_at, o.cancelled_at) + to_seconds(600)} end
        ], recursive := true)
    from new_orders o
)
select
    order_id * 10 + number as payment_id, order_id,
    case when method = 'wallet' then 'Payfold' when method = 'card' then 'Kartenwerk' else 'Bankbrücke' end as provider,
    method, amount, currency, max_by(status, updated_at) as status,
    case when number = 0 then ordered_at + to_seconds(8) else paid_at end as paid_at,
    max(updated_at) as updated_at, updated_at::date as extract_date
from moves
join amounts using (order_id)
where updated_at is not null and updated_at::date <= getvariable('last')
group by all;

create or replace temp view feed_customers as
with
old as (
    -- The dump with which the books open: everybody who was a customer before.
    select
        i as customer_id,
        null::timestamp as updated_at,
        0::bigint as moved,
        getvariable('opening') as extract_date
    from range(1, (select min(first_newcomer) from calendar)) r(i)
    where getvariable('low') = getvariable('opening')
),
newcomers as (
    select customer_id, null::timestamp as updated_at, 0::bigint as moved, day as extract_date
    from new_orders
    where by_newcomer
),
moves as (
    -- Four in a thousand customers change something each day: where they live, mostly.
    select
        i as customer_id, c.day + to_seconds(roll(86400, i, 'moved')) as updated_at,
        c.day - date '2025-01-01' as moved, c.day as extract_date
    from calendar c, lateral (select unnest(range(1, c.first_newcomer)) as i) r
    where roll(250, i * 1000 + (c.day - date '2025-01-01'), 'moves') = 0 and c.day > getvariable('opening')
),
changes as (
    from old union all from newcomers union all from moves
),
dated as (
    -- An account carries the day it was made on, at midnight UTC.
    select
        c.*,
        coalesce(j.day, date '2024-01-02' + roll(600, c.customer_id, 'joined')::integer)::timestamp as created_at
    from changes c
    asof left join joined j on c.customer_id >= j.first_newcomer
)
select
    c.customer_id,
    lower(word.first_names[1 + roll(26, c.customer_id, 'first')]) || '.' || lower(word.last_names[1 + roll(25, c.customer_id, 'last')])
        || c.customer_id || '@example.com' as email,
    word.first_names[1 + roll(26, c.customer_id, 'first')] || ' ' || word.last_names[1 + roll(25, c.customer_id, 'last')] as full_name,
    s.country,
    s.cities[1 + roll(len(s.cities), c.customer_id * 1000 + c.moved, 'city')] as city,
    case when roll(100, c.customer_id, 'segment') < 12 or (c.moved > 0 and roll(10, c.customer_id + c.moved, 'segment') = 0)
        then 'business' else 'consumer' end as segment,
    roll(100, c.customer_id + c.moved, 'newsletter') < 40 as marketing_opt_in,
    c.created_at,
    coalesce(c.updated_at, c.created_at) as updated_at,
    c.extract_date
from dated c
join store s on s.store_id = home_store(c.customer_id), word;

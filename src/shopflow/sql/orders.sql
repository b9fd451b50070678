-- Orders placed in this chunk of days with their whole life, and their lines.
create or replace temp table new_orders as
with
numbered as (
    select c.*, c.first_order + r.k as order_id, r.k
    from calendar c, lateral (select unnest(range(c.orders)) as k) r
),
buyers as (
    -- The first orders of a day are by newcomers; older customers are the likelier the earlier they came.
    select
        *,
        case
            when k < newcomers then first_newcomer + k
            else 1 + (roll(1000000, order_id, 'buyer') * roll(1000000, order_id, 'again') // 1000000) * (first_newcomer - 1) // 1000000
        end as customer_id
    from numbered
),
placed as (
    select
        b.day, b.order_id, b.k, b.newcomers, b.discount, b.customer_id, s.store_id, s.currency, s.price_factor,
        -- Local hour by the store's clock, folded into the UTC day, so that a day's orders are in that day's extract.
        (word.hours[1 + roll(100, b.order_id, 'hour')] * 3600 + roll(3600, b.order_id, 'second')
            + epoch(timezone(s.timezone, b.day + time '12:00'))::bigint - epoch(b.day + time '12:00')::bigint + 172800) % 86400 as second
    from buyers b
    join store s
        on s.store_id = case
            when roll(100, b.order_id, 'abroad') < 6 then 1 + roll(6, b.order_id, 'where')
            else home_store(b.customer_id)
        end, word
),
fated as (
    select
        *,
        day + to_seconds(second) as ordered_at,
        roll(1000, order_id, 'fate') as fate,
        roll(1000, order_id, 'method') as method,
        case when roll(1000, order_id, 'method') < 110 then 40000 + roll(200000, order_id, 'transfer') else 20 + roll(900, order_id, 'pay') end as pay_wait,
        15 * 3600 + roll(3 * 86400, order_id, 'ship') as ship_wait,
        5 * 86400 + roll(18 * 86400, order_id, 'return') as return_wait
    from placed
),
-- fate: 0-29 never paid; 30-49 cancelled after payment; 50-119 returned; the rest is kept.
lived as (
    select
        *,
        case when fate >= 30 then ordered_at + to_seconds(pay_wait) end as paid_at,
        case when fate >= 50 then ordered_at + to_seconds(pay_wait + ship_wait) end as shipped_at,
        case when fate < 30 then ordered_at + to_seconds(86400 + pay_wait)
             when fate < 50 then ordered_at + to_seconds(pay_wait + 3600 + roll(40000, order_id, 'cancel')) end as cancelled_at,
        case when fate between 50 and 119 then ordered_at + to_seconds(pay_wait + ship_wait + return_wait) end as returned_at
    from fated
)
select
    day, order_id, k < newcomers as by_newcomer, discount, customer_id, store_id, currency, price_factor, fate, ordered_at, paid_at,
    shipped_at, cancelled_at, returned_at,
    case when method < 110 then 'transfer' when method < 420 then 'wallet' else 'card' end as method,
    roll(100, order_id, 'declined') < 3 as declined_first
from lived;

create or replace temp table new_lines as
with lines as (
    select
        o.order_id, o.day, o.discount, o.price_factor, l.n + 1 as line_number,
        1 + (roll(1000, o.order_id, 'product') * roll(1000, o.order_id, 'popular') * 240 // 1000000 + 53 * l.n) % 240 as product_id,
        [1, 1, 1, 1, 1, 1, 2, 2, 3, 5][1 + roll(10, o.order_id * 8 + l.n, 'quantity')] as quantity
    from new_orders o, lateral (select unnest(range([1, 1, 1, 2, 2, 3, 4][1 + roll(7, o.order_id, 'lines')])) as n) l
)
select
    l.order_id, l.line_number::integer as line_number, l.product_id, l.quantity::integer as quantity, l.day,
    -- Cents in the order's currency: list price, the store's factor in thousandths, the day's discount in percent.
    ((p.list_cents * l.price_factor * (100 - l.discount) + 50000) // 100000)::decimal(18, 0) as cents
from lines l
join price p on p.product_id = l.product_id and p.day = l.day;

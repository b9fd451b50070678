{{
    config(
        materialized='incremental',
        incremental_strategy='delete+insert',
        unique_key='order_id',
        on_schema_change='fail',
    )
}}

with orders as (
    select * from {{ ref('stg_orders') }}
    {% if is_incremental() %}
    -- Orders that changed since the newest change this table knows; all their lines are written again.
    where updated_at > (select coalesce(max(updated_at), timestamp '1970-01-01') from {{ this }})
    {% endif %}
),

rates as (
    select * from {{ ref('stg_exchange_rates') }}
),

versions as (
    select
        customer_key,
        customer_id,
        valid_to,
        -- A customer's first version also covers orders placed before it.
        case
            when row_number() over (partition by customer_id order by valid_from) = 1 then timestamp '1970-01-01'
            else valid_from
        end as valid_from
    from {{ ref('dim_customer') }}
),

lines as (
    select
        orders.order_id,
        items.line_number,
        orders.customer_id,
        orders.store_id,
        items.product_id,
        orders.business_date,
        orders.ordered_at,
        orders.status as order_status,
        items.quantity,
        (items.unit_price * rates.eur_per_unit)::decimal(12, 2) as unit_price,
        (items.quantity * items.unit_price * rates.eur_per_unit)::decimal(14, 2) as amount,
        orders.currency,
        orders.updated_at
    from orders
    inner join {{ ref('stg_order_items') }} as items on orders.order_id = items.order_id
    -- The rate of the UTC day the order was placed on: it arrives with the order.
    inner join rates
        on
            orders.currency = rates.currency
            and orders.ordered_at::date = rates.rate_date
)

select
    lines.order_id,
    lines.line_number,
    versions.customer_key,
    {{ surrogate_key(['lines.product_id']) }} as product_key,
    strftime(lines.business_date, '%Y%m%d')::integer as date_key,
    {{ surrogate_key(['lines.store_id']) }} as store_key,
    lines.order_status,
    lines.quantity,
    lines.unit_price,
    case when lines.order_status in ('paid', 'shipped') then lines.amount else 0 end::decimal(14, 2) as line_revenue,
    lines.currency,
    lines.updated_at
from lines
left join versions
    on
        lines.customer_id = versions.customer_id
        and lines.ordered_at >= versions.valid_from
        and lines.ordered_at < coalesce(versions.valid_to, timestamp '9999-01-01')

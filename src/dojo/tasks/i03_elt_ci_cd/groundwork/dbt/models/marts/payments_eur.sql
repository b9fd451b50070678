select
    payments.payment_id,
    payments.order_id,
    orders.store_id,
    payments.business_date,
    payments.status,
    (payments.amount * rates.eur_per_unit)::decimal(12, 2) as amount_eur
from {{ ref('stg_payments') }} as payments
inner join {{ ref('stg_orders') }} as orders on payments.order_id = orders.order_id
inner join {{ ref('stg_rates') }} as rates
    on payments.currency = rates.currency and payments.rate_date = rates.rate_date

select
    payment_id,
    order_id,
    amount::decimal(12, 2) as amount,
    currency,
    status,
    timezone('UTC', paid_at)::date as rate_date,
    timezone('Europe/Berlin', paid_at)::date as business_date
from {{ source('raw', 'payments') }}

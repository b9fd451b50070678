select
    payment_id,
    order_id,
    provider,
    method,
    amount,
    currency,
    status,
    paid_at,
    updated_at
from {{ source('raw', 'payments') }}

select payment_id
from {{ ref('stg_payments') }}
where payment_id not in (select payment_id from {{ ref('payments_eur') }})

select
    business_date,
    store_id,
    count(*)::integer as payments,
    sum(amount_eur)::decimal(12, 2) as takings_eur
from {{ ref('payments_eur') }}
where status = 'captured'
group by business_date, store_id

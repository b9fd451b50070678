select
    rate_date::date as rate_date,
    currency,
    eur_per_unit::decimal(12, 6) as eur_per_unit
from {{ source('raw', 'rates') }}

select
    taken.payments as taken,
    counted.payments as counted
from (select count(*) as payments from {{ ref('stg_payments') }} where status = 'captured') as taken
cross join (select coalesce(sum(payments), 0) as payments from {{ ref('daily_takings') }}) as counted
where taken.payments <> counted.payments

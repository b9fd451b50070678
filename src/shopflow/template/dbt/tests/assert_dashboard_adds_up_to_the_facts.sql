-- What finance reads is what the facts hold, to the cent.
select *
from (
    select
        (select sum(revenue_eur) from {{ ref('daily_revenue') }}) as dashboard,
        (select sum(line_revenue) from {{ ref('fact_sales') }}) as facts
)
where dashboard is distinct from facts

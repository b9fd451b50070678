select
    strftime(day, '%Y%m%d')::integer as date_key,
    day::date as date_day,
    isoyear(day)::integer as iso_year,
    week(day)::integer as iso_week,
    isodow(day)::integer as iso_weekday,
    dayname(day) as weekday_name,
    month(day)::integer as month_number,
    year(day)::integer as year_number
from generate_series(date '2025-01-01', date '2026-12-31', interval 1 day) as calendar (day)

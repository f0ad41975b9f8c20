-- The day's delays of each carrier at each airport of New York.
-- Input: flights (all days published so far). Parameter: ds.

CREATE OR REPLACE TEMPORARY VIEW departures AS
SELECT *, NOT cancelled AND arr_delay > 15 AS late
FROM flights;

SELECT
    origin,
    carrier,
    count(*) AS flights,
    count_if(cancelled) AS cancelled,
    count_if(late) AS late,
    round(avg(dep_delay), 2) AS mean_dep_delay,
    round(avg(arr_delay), 2) AS mean_arr_delay,
    max(arr_delay) AS max_arr_delay
FROM departures
WHERE ds = :ds
GROUP BY origin, carrier

-- All days published so far: the nations by their revenue.
SELECT
    nation,
    sum(revenue) AS revenue,
    sum(orders) AS orders,
    count(DISTINCT ds) AS days,
    rank() OVER (ORDER BY sum(revenue) DESC) AS place
FROM revenue
GROUP BY nation

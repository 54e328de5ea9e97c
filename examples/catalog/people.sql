-- The demo's people and those who want no mail. workflows/spring-offer.yaml reads both.
CREATE TABLE people (
    id                INTEGER PRIMARY KEY,
    email             TEXT NOT NULL,
    name              TEXT,
    city              TEXT NOT NULL,
    favourites        TEXT NOT NULL DEFAULT 'Lavender',  -- names of plants, parted by comma and space
    loyalty_years     INTEGER NOT NULL DEFAULT 0,
    subscribed        BOOLEAN NOT NULL DEFAULT TRUE,
    unsubscribe_token TEXT NOT NULL
);

CREATE TABLE suppressed (
    email  TEXT PRIMARY KEY,
    reason TEXT NOT NULL,
    since  TEXT NOT NULL
);

#!/bin/bash
# Run once, by the PostgreSQL image, while its data folder is new: a database and a user for each program.
# psql reads the passwords from the environment itself, so none shows in the list of processes.
set -euo pipefail

psql --no-psqlrc --quiet --set ON_ERROR_STOP=1 --username "$POSTGRES_USER" --dbname postgres <<'SQL'
\getenv label_studio LABEL_STUDIO_DATABASE_PASSWORD
\getenv tenth TENTH_DATABASE_PASSWORD
CREATE ROLE labelstudio LOGIN PASSWORD :'label_studio';
CREATE DATABASE labelstudio OWNER labelstudio;
CREATE ROLE tenth LOGIN PASSWORD :'tenth';
CREATE DATABASE tenth OWNER tenth;
SQL

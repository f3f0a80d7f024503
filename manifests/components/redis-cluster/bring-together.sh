# Makes a cluster of SERVERS, or mends one. May be run again at any time: what is done already is left as it is.
set -eu

# By the account `cluster`; its password is in VALKEYCLI_AUTH. An error of the server is one of ours.
ask() {
    host=$1
    shift
    # shellcheck disable=SC2086 # words
    valkey-cli -h "$host" -p 6379 ${CLI_OPTIONS:-} -e --user cluster --no-auth-warning "$@"
}
told() { ask "$1" cluster info | tr -d '\r' | sed -n "s/^$2://p"; }
patiently() {
    tries=0
    until "$@"; do
        tries=$((tries + 1))
        [ "$tries" -lt 60 ] || { echo "$* was in vain" >&2 && exit 1; }
        sleep 1
    done
}
answers() { ask "$1" ping >/dev/null 2>&1; }
knows() { [ "$(told "$1" cluster_known_nodes)" -ge "$2" ]; }
holds_slots() { ask "$1" cluster nodes | grep -q "myself.* connected .*[0-9]"; }
is_well() { [ "$(told "$1" cluster_slots_ok)" = 16384 ]; }

count=0
for server in $SERVERS; do
    patiently answers "$server"
    count=$((count + 1))
done

# Also where they know each other: a pod has another address after each start, and if all were started anew, none knows where.
first=${SERVERS%% *}
for server in $SERVERS; do
    address=$(getent ahosts "$server" | sed -n '1s/ .*//p')
    [ "$server" = "$first" ] || ask "$first" cluster meet "$address" 6379 >/dev/null
done
for server in $SERVERS; do patiently knows "$server" "$count"; done

# Each its share, unless all slots are known to be somebody's: then a server without any has lost its disk, and what it had would be
# taken for empty from now on.
complete=
for server in $SERVERS; do [ "$(told "$server" cluster_slots_assigned)" != 16384 ] || complete=yes; done
number=0
for server in $SERVERS; do
    from=$((16384 * number / count)) to=$((16384 * (number + 1) / count - 1))
    number=$((number + 1))
    if ! holds_slots "$server"; then
        [ -z "$complete" ] || { echo "$server has lost its data, slots $from to $to: restore a backup into a new store" >&2 && exit 1; }
        ask "$server" cluster addslotsrange "$from" "$to" >/dev/null
    fi
done
for server in $SERVERS; do patiently is_well "$server"; done
echo "the $count servers are one cluster"

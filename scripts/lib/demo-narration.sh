# Sourced by scripts/demo: who hears the Sentinels and writes as a client, and how that is told.
#
# Each teller is one background process of the shell itself, without helpers: a process started for each event would
# take longer than what it is to time. What they tell goes to the terminal and, as `ms who event`, into a file that
# the demo waits for and measures with. A chapter begins when the clock is set to zero.

# Milliseconds on the clock.
now_ms() {
    local t=${EPOCHREALTIME/[.,]/}
    echo $((t / 1000))
}

start_story() {
    story=$folder/story
    : >"$story"
    begin_chapter
}

begin_chapter() {
    zero=$(now_ms)
    echo "$zero" >"$folder/zero"
}

# tell MICROSECONDS WHO EVENT TEXT: one line of the story, at a moment of the clock.
tell() {
    local zero ms colour=''
    read -r zero <"$folder/zero"
    ms=$(($1 / 1000 - zero))
    case "$3" in
        *down | write-refused) colour=$red ;;
        +switch-master | +promoted-slave | write-accepted) colour=$green ;;
    esac
    printf '%s %s %s\n' "$ms" "$2" "$3" >>"$story"
    [ -z "$4" ] ||
        printf '  %s%+6d ms%s  %-10s  %s%-46s%s  %s%s%s\n' "$dim" "$ms" "$plain" "$2" "$colour" "$4" "$plain" \
            "$dim" "$3" "$plain"
}

# told WHO EVENT COUNT: whether the story has that many such lines; an empty word stands for any.
told() {
    local count
    count=$(grep -c "^[^ ]* ${1:-[^ ]*} ${2:-[^ ]*}\$" "$story" || true)
    [ "$count" -ge "$3" ]
}

# when WHO EVENT: the time of the last such line.
when() {
    grep "^[^ ]* ${1:-[^ ]*} ${2:-[^ ]*}\$" "$story" | tail -n 1 | cut -d ' ' -f 1
}

# Puts in $text what an event of a Sentinel means to somebody who does not know them; empty for those that only
# specialists want to see. `$2…` are the words of its payload.
explain() {
    local event=$1
    shift
    local kind=${1/slave/replica}
    local node="$kind ${4:-}"
    text=''
    case "$event" in
        +sdown) text="$node does not answer me" ;;
        -sdown) text="$node answers me again" ;;
        +odown) text="enough of us agree: $node is down" ;;
        +try-failover) text="I stand for election" ;;
        +vote-for-leader) text="my vote of epoch $2 is for ${who[$1]:-somebody}" ;;
        +elected-leader) text="I am elected and lead the failover" ;;
        +selected-slave) text="$node is the best choice" ;;
        +promoted-slave) text="$node is a master now" ;;
        +slave-reconf-sent) text="$node is told to follow the new master" ;;
        +slave-reconf-done) text="$node follows the new master" ;;
        +config-update-from) text="I have the news from ${who[$4]:-a peer}" ;;
        +switch-master) text="the master was $3 and is $5" ;;
        +convert-to-slave) text="$node is told to be one" ;;
    esac
}

# Reads one value of the protocol from file descriptor $1 into $value; an array into $items.
read_value() {
    local line i
    items=()
    IFS= read -r -u "$1" line || return 1
    line=${line%$'\r'}
    case "$line" in
        '*'*)
            local found=()
            for ((i = 0; i < ${line#?}; i++)); do
                read_value "$1" || return 1
                found+=("$value")
            done
            items=("${found[@]}")
            ;;
        '$-1') value='' ;;
        '$'*)
            IFS= read -r -u "$1" line || return 1
            value=${line%$'\r'}
            ;;
        *) value=$line ;;
    esac
}

# Tells what the Sentinel on a port says to its subscribers.
listen() {
    local me=${who[$1]} fd at value items text
    exec {fd}<>"/dev/tcp/127.0.0.1/$1"
    printf 'PSUBSCRIBE *\r\n' >&"$fd"
    read_value "$fd"
    tell "${EPOCHREALTIME/[.,]/}" "$me" listening ''
    while read_value "$fd"; do
        at=${EPOCHREALTIME/[.,]/}
        # shellcheck disable=SC2086 # The words of the payload.
        explain "${items[2]}" ${items[3]}
        [ -z "$text" ] || tell "$at" "$me" "${items[2]}" "$text"
    done
}

# Sends one inline command to a port; its reply is in $value or $items.
exchange() {
    local fd status=0
    { exec {fd}<>"/dev/tcp/127.0.0.1/$1"; } 2>/dev/null || return 1
    { printf '%s\r\n' "$2" >&"$fd" && read_value "$fd"; } 2>/dev/null || status=1
    exec {fd}>&-
    return "$status"
}

# Puts into $master the port that the first Sentinel with an answer names.
ask_for_master() {
    local port
    for port in "${sentinel_port[@]}"; do
        if exchange "$port" "SENTINEL GET-MASTER-ADDR-BY-NAME $name" && [ "${#items[@]}" = 2 ]; then
            master=${items[1]}
            return 0
        fi
    done
    return 1
}

# A client as it should be: it writes to the master that the Sentinels name, and asks them again when that fails.
# It counts, so that it can tell the last write that was accepted before an outage.
write_all_the_time() {
    trap '' PIPE
    local master='' value items=() fine=1 last at never
    exec {never}<> <(:)
    until ask_for_master; do :; done
    last=${EPOCHREALTIME/[.,]/}
    tell "$last" client writing ''
    while :; do
        if exchange "$master" "INCR written" && [[ "$value" = :* ]]; then
            at=${EPOCHREALTIME/[.,]/}
            [ "$fine" = 1 ] || tell "$at" client write-accepted "port $master takes my write number ${value#:}"
            fine=1 last=$at
        else
            [ "$fine" = 0 ] || tell "$last" client write-refused "port $master took my last write"
            fine=0
            ask_for_master || true
        fi
        # A pause of a few milliseconds: nothing ever comes from there.
        read -r -t 0.004 -u "$never" || true
    done
}

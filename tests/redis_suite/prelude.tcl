# Read by Redis's suite after its own procedures. It replaces none of them, and wraps a few: so the runner can follow the
# suite, and a failure costs nothing but itself. All of it expects the suite's option --durable.

# The runner reads the output while the suite runs.
fconfigure stdout -buffering line

# The suite's helper programs read this file too, and have no tests.
if {[info procs test] eq ""} { return }

# Tell the runner which test runs, so that it knows the test that hangs.
rename test memdb_test
proc test {name args} {
    # In one write: the suite's other lines come from another process.
    puts -nonewline "\u0001begin $name\n"
    set failed $::num_failed
    set before [memdb_client_states]
    uplevel 1 [list memdb_test $name {*}$args]
    if {$::num_failed > $failed} {
        memdb_mend_clients $before
        foreach command [memdb_last_settings [lindex $args 0]] { catch {uplevel 1 $command} }
    }
}

# The database that each client has selected, and whether it speaks RESP3.
array set ::memdb_database {}
proc memdb_client_states {} {
    return [dict create database [array get ::memdb_database] resp3 [array get ::redis::testing_resp3]]
}

# A test that breaks off can leave its connection in a transaction, in another database or with replies to read. Bring it
# back to the state before, with a new connection if need be. It keeps its name, because tests keep that in variables.
proc memdb_mend_clients {before} {
    foreach srv $::servers {
        if {![dict exists $srv client]} continue
        set client [dict get $srv client]
        if {![regexp {^::redis::redisHandle(\d+)$} $client _ id] || ![info exists ::redis::fd($id)]} continue
        foreach state {database resp3} {
            set $state [expr {[dict exists $before $state $id] ? [dict get $before $state $id] : 0}]
        }
        set nonce "mended [clock microseconds]"
        set clean [expr {$::redis::blocking($id) && !$::redis::deferred($id) && !$::redis::readraw($id) &&
                         $::redis::testing_resp3($id) == $resp3}]
        if {!$clean || [catch {$client echo $nonce} reply] || $reply ne $nonce} {
            catch {close $::redis::fd($id)}
            set ::redis::fd($id) {}
            set ::redis::blocking($id) 1
            set ::redis::deferred($id) 0
            set ::redis::readraw($id) 0
            set ::redis::testing_resp3($id) 0
            ::redis::redis_reset_state $id
            set ::memdb_database($id) 0
            if {$resp3} { catch {$client hello 3} }
        }
        if {[info exists ::memdb_database($id)] && $::memdb_database($id) != $database} { catch {$client select $database} }
    }
}

# The last command of a test for each setting that it changes: the one that restores the setting, if one does. A test
# that broke off before can run it late.
proc memdb_last_settings {code} {
    set last {}
    foreach line [split $code "\n"] {
        if {[regexp {^\s*(r (config set|debug (?=set-|quicklist-packed|replybuffer|pause-cron|dict-resizing)) ?(\S+) [^;\\]+)$} \
                $line _ command kind name]} {
            dict set last "$kind $name" $command
        }
    }
    return [dict values $last]
}

# An error outside of a test ends the innermost block that start_server or tags opens. In a test, it fails the test.
proc memdb_guard {code} {
    if {[catch {uplevel 1 $code} result options] != 1} {
        dict incr options -level
        return -options $options $result
    }
    if {$::cur_test ne ""} {
        if {![string match "assertion:*" $result]} { set result "assertion:$result" }
        error $result $::errorInfo
    }
    incr ::num_failed
    set states [memdb_client_states]
    send_data_packet $::test_server_fd err "[regsub {^assertion:} $result {}]\n$::errorInfo"
    memdb_mend_clients $states
}

rename start_server memdb_start_server
proc start_server {options {code undefined}} {
    if {$code ne "undefined"} { set code [list memdb_guard $code] }
    uplevel 1 [list memdb_start_server $options $code]
}

rename tags memdb_tags
proc tags {tags code} {
    uplevel 1 [list memdb_tags $tags [list memdb_guard $code]]
}

# Follow which database a client selects. And before each block, the suite empties an external server with FUNCTION FLUSH
# and SCRIPT FLUSH: a server without functions and scripts has none to remove. Both stay unknown everywhere else.
rename ::redis::__dispatch__ ::redis::memdb_dispatch
proc ::redis::__dispatch__ {id method args} {
    if {[string equal -nocase $method select]} { set ::memdb_database($id) [lindex $args 0] }
    if {$method ni {function script} || $args ne "flush" || [info level] < 3 ||
        [lindex [info level -2] 0] ne "run_external_server_test"} {
        tailcall ::redis::memdb_dispatch $id $method {*}$args
    }
    if {[catch {::redis::memdb_dispatch $id $method flush} reply] && ![string match "*unknown command*" $reply]} {
        error $reply
    }
    return OK
}

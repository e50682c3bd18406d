drop function bus.follow_lines(
    text, text, double precision, integer, timestamptz, boolean, text, text, text, text);

//! Expressions beside what they must say.

use super::*;
use crate::model::schedule::expressions::Expressions;
use crate::model::time::Span;

#[test]
fn cron_expressions_read_as_a_person_says_them() {
    for (expression, said) in [
        ("* * * * *", "every minute"),
        ("*/15 * * * *", "every 15 minutes"),
        ("5-59/15 * * * *", "every 15 minutes, from minute 5 of the hour on"),
        ("*/7 * * * *", "at minutes 0, 7, 14, 21, 28, 35, 42, 49 and 56 of every hour"),
        ("0 * * * *", "at minute 0 of every hour"),
        ("5,10 * * * *", "at minutes 5 and 10 of every hour"),
        ("@hourly", "at minute 0 of every hour"),
        ("5 */2 * * *", "at minute 5 of every 2nd hour"),
        ("5 1-23/2 * * *", "at minute 5 of every 2nd hour from 01:00 on"),
        ("*/20 */2 * * *", "every 20 minutes of every 2nd hour"),
        ("0 */6 * * *", "at 00:00, 06:00, 12:00 and 18:00 every day"),
        ("30 9-17 * * *", "every hour from 09:30 to 17:30"),
        ("*/15 9-17 * * 1-5", "every 15 minutes from 09:00 to 17:45 on Monday to Friday"),
        ("* 2 * * *", "every minute from 02:00 to 02:59"),
        ("0,20 9-17 * * *", "at minutes 0 and 20 of the hours 9 to 17"),
        ("*/5 1,3,5-9 * * *", "every 5 minutes of the hours 1, 3 and 5 to 9"),
        ("30 2 * * *", "at 02:30 every day"),
        ("@daily", "at 00:00 every day"),
        ("30 2,14 * * *", "at 02:30 and 14:30 every day"),
        ("30 2 * * 1-5", "at 02:30 on Monday to Friday"),
        ("30 2 * * 1", "at 02:30 on every Monday"),
        ("30 2 * * sat,sun", "at 02:30 on Saturday and Sunday"),
        ("30 2 * * 0-4", "at 02:30 on Monday to Thursday and Sunday"),
        ("0 2 L * *", "at 02:00 on the last day of the month"),
        ("0 2 LW * *", "at 02:00 on the last working day (Monday to Friday) of the month"),
        ("0 2 15W * *", "at 02:00 on the working day (Monday to Friday) nearest the 15th"),
        ("0 2 10,L * *", "at 02:00 on the 10th and the last day of the month"),
        ("0 2 * * 5L", "at 02:00 on the last Friday of the month"),
        ("0 2 * * MON#2", "at 02:00 on the 2nd Monday of the month"),
        // Either day field matches, as Debian has it, unless one begins with a star.
        ("0 2 1 * 1", "at 02:00 on the 1st and on every Monday"),
        ("0 2 1,15 * 1-5", "at 02:00 on the 1st and the 15th, and also on Monday to Friday"),
        ("0 2 13 * FRI#1", "at 02:00 on the 13th and on the 1st Friday of the month"),
        ("0 2 */2 * 1", "at 02:00 on every 2nd day of the month, if it is a Monday"),
        ("0 2 1-7 * */3", "at 02:00 on the 1st to the 7th, if it is Wednesday, Saturday or Sunday"),
        ("0 2 1-31 * 1", "at 02:00 every day"),
        ("0 2 */2 * *", "at 02:00 on every 2nd day of the month"),
        (
            "0 2 1,2,3,11,22,23,31 * *",
            "at 02:00 on the 1st to the 3rd, the 11th, the 22nd, the 23rd and the 31st",
        ),
        ("0 2 * 3 *", "at 02:00 every day in March"),
        ("0 2 1 jan,jul *", "at 02:00 on the 1st in January and July"),
        ("0 2 1 6-8 *", "at 02:00 on the 1st from June to August"),
        ("*/15 * * 1 *", "every 15 minutes in January"),
        ("0 0 29 2 *", "at 00:00 on the 29th in February"),
        ("@yearly", "at 00:00 on the 1st in January"),
        ("@weekly", "at 00:00 on every Sunday"),
        // Six fields.
        ("0 30 2 * * *", "at 02:30 every day"),
        ("15 30 2 * * *", "at 02:30:15 every day"),
        ("* * * * * *", "every second"),
        ("*/10 * * * * *", "every 10 seconds"),
        ("30 * * * * *", "at second 30 of every minute"),
        ("30 5 * * * *", "at second 30 of minute 5 of every hour"),
        ("30 */15 */2 * * *", "at second 30 of every 15th minute of every 2nd hour"),
        ("*/10 30 2 * * 1", "every 10 seconds of the minute 02:30 on every Monday"),
        ("*/10 * 9-17 * * *", "every 10 seconds from 09:00:00 to 17:59:50"),
    ] {
        assert_eq!(words(&Timing::Cron(Expressions::one(expression))), said, "{expression}");
    }
}

#[test]
fn calendar_expressions_read_alike_or_as_they_are_written() {
    for (expression, said) in [
        ("hourly", "at minute 0 of every hour"),
        ("minutely", "every minute"),
        ("weekly", "at 00:00 on every Monday"),
        ("quarterly", "at 00:00 on the 1st in January, April, July and October"),
        ("Daily", "at 00:00 every day"),
        ("daily Europe/Berlin", "at 00:00 every day, Europe/Berlin time"),
        ("02:00", "at 02:00 every day"),
        ("Mon..Fri 02:00", "at 02:00 on Monday to Friday"),
        ("Mon..Fri *-*-* 02:00 UTC", "at 02:00 on Monday to Friday, UTC time"),
        ("*:0/15", "every 15 minutes"),
        ("*-*-* 9..17:00", "every hour from 09:00 to 17:00"),
        ("*-*-* 02,14:30:15", "at 02:30:15 and 14:30:15 every day"),
        ("*-*-01 04:00", "at 04:00 on the 1st"),
        ("*-*~01 04:00", "at 04:00 on the last day of the month"),
        ("*-02~03", "at 00:00 on the 3rd last day of the month in February"),
        ("Mon *-*-1..7 02:00", "at 02:00 on the 1st to the 7th, if it is a Monday"),
        ("Sat,Sun 10:00", "at 10:00 on Saturday and Sunday"),
        ("2026-12-25 02:00", "at 02:00 on 2026-12-25"),
        ("2026..2030-*-*  02:00", "at the times of 2026..2030-*-* 02:00"),
        ("*-*-* 02:00:00.5", "at the times of *-*-* 02:00:00.5"),
        ("*-*~07/1 02:00", "at the times of *-*~07/1 02:00"),
        ("*:8..5", "at the times of *:8..5"),
        ("nonsense", "at the times of nonsense"),
    ] {
        assert_eq!(words(&Timing::OnCalendar(Expressions::one(expression))), said, "{expression}");
    }
}

#[test]
fn intervals_lists_and_what_cannot_be_read() {
    assert_eq!(words(&Timing::Interval(Span::from_secs(86_400))), "every 24h after the last finish");
    let several = Timing::Cron(Expressions::new(["30 2 * * 1-5", "0 4 * * 6"]));
    assert_eq!(words(&several), "at 02:30 on Monday to Friday, and at 04:00 on every Saturday");
    assert_eq!(words(&Timing::Cron(Expressions::one("0  99 * * *"))), "at the times of 0 99 * * *");
}

// A charge point on the ocpp-rpc client in strict mode: whatever does not fit that library's own schemas is an error.
//
//     node charge_point.js URL IDENTITY ANSWERS [VERSION]
//
// ANSWERS is a file with {"action": [answer, …]}: what it says to the calls of an action, one after the other; null is a
// CALLERROR. It goes through a session, prints a line READY, and ends with standard input. What it takes for wrong goes to
// standard error.

const { readFileSync } = require('fs');
const { RPCClient, createRPCError } = require('ocpp-rpc');

const [endpoint, identity, answersFile, version = '1.6'] = process.argv.slice(2);
const answers = JSON.parse(readFileSync(answersFile));
// The ids of that library's schemas of 2.1 are not those that it looks for: it cannot be strict there.
const strictMode = version !== '2.1';
const charger = new RPCClient({ endpoint, identity, protocols: [`ocpp${version}`], strictMode, reconnect: false });

charger.on('strictValidationFailure', ({ error }) => {
    console.error(`strict: ${error.message} ${JSON.stringify(error.details)}`);
});
charger.on('badMessage', ({ error }) => console.error(`bad message: ${error.message}`));
charger.handle(({ method }) => {
    const answer = (answers[method] ?? []).shift();
    if (answer === undefined) {
        console.error(`${method} was not expected`);
    }
    if (!answer) {
        throw createRPCError('SecurityError', 'not today', { since: 'noon' });
    }
    return answer;
});

async function session() {
    const sampledValue = [{ value: '1200', measurand: 'Energy.Active.Import.Register', unit: 'Wh' }];
    const booted = await charger.call('BootNotification', { chargePointVendor: 'ACME', chargePointModel: 'One' });
    if (booted.status !== 'Accepted') {
        throw new Error(`the boot was answered ${booted.status}`);
    }
    await charger.call('StatusNotification', { connectorId: 1, errorCode: 'NoError', status: 'Preparing' });
    await charger.call('Authorize', { idTag: 'TAG1' });
    const { transactionId } = await charger.call('StartTransaction', {
        connectorId: 1, idTag: 'TAG1', meterStart: 1000, timestamp: '2026-03-01T10:00:00Z',
    });
    await charger.call('MeterValues', {
        connectorId: 1, transactionId, meterValue: [{ timestamp: '2026-03-01T10:05:00Z', sampledValue }],
    });
    await charger.call('StopTransaction', { transactionId, meterStop: 1400, timestamp: '2026-03-01T10:10:00Z' });
    await charger.call('DataTransfer', { vendorId: 'com.example' });
    await charger.call('FirmwareStatusNotification', { status: 'Idle' });
    await charger.call('DiagnosticsStatusNotification', { status: 'Idle' });
    await charger.call('SecurityEventNotification', { type: 'StartupOfTheDevice', timestamp: '2026-03-01T10:10:00Z' });
    await charger.call('LogStatusNotification', { status: 'Idle' });
    await charger.call('SignedFirmwareStatusNotification', { status: 'Idle' });
    await charger.call('Heartbeat', {});
}

async function session2x() {
    const transactionInfo = { transactionId: 'tx-1' };
    const idToken = { idToken: 'TAG1', type: 'ISO14443' };
    const event = (eventType, seqNo, timestamp, value, triggerReason, more) =>
        charger.call('TransactionEvent', {
            eventType, timestamp, triggerReason, seqNo, transactionInfo, ...more,
            meterValue: [{ timestamp, sampledValue: [{ value, unitOfMeasure: { unit: 'Wh' } }] }],
        });
    const timestamp = '2026-03-01T10:00:00Z';
    const chargingStation = { vendorName: 'ACME', model: 'One' };
    const booted = await charger.call('BootNotification', { reason: 'PowerUp', chargingStation });
    if (booted.status !== 'Accepted') {
        throw new Error(`the boot was answered ${booted.status}`);
    }
    await charger.call('StatusNotification', { timestamp, connectorStatus: 'Available', evseId: 1, connectorId: 1 });
    await charger.call('Authorize', { idToken });
    await event('Started', 0, timestamp, 1000, 'Authorized', { idToken, evse: { id: 1, connectorId: 1 } });
    await event('Updated', 1, '2026-03-01T10:05:00Z', 1200, 'MeterValuePeriodic');
    await event('Ended', 2, '2026-03-01T10:10:00Z', 1400, 'StopAuthorized', {
        transactionInfo: { ...transactionInfo, stoppedReason: 'Local' },
    });
    await charger.call('MeterValues', { evseId: 1, meterValue: [{ timestamp, sampledValue: [{ value: 1400 }] }] });
    await charger.call('NotifyEvent', {
        generatedAt: timestamp, seqNo: 0,
        eventData: [{
            eventId: 1, timestamp, trigger: 'Delta', actualValue: 'Available', eventNotificationType: 'HardWiredNotification',
            component: { name: 'Connector', evse: { id: 1, connectorId: 1 } }, variable: { name: 'AvailabilityState' },
        }],
    });
    await charger.call('NotifyReport', { requestId: 1, generatedAt: timestamp, seqNo: 0 });
    await charger.call('NotifyChargingLimit', { chargingLimit: { chargingLimitSource: 'EMS' } });
    await charger.call('ClearedChargingLimit', { chargingLimitSource: 'EMS' });
    await charger.call('ReservationStatusUpdate', { reservationId: 1, reservationUpdateStatus: 'Expired' });
    await charger.call('NotifyDisplayMessages', { requestId: 1 });
    await charger.call('NotifyCustomerInformation', { requestId: 1, data: '', seqNo: 0, generatedAt: timestamp });
    await charger.call('PublishFirmwareStatusNotification', { status: 'Idle' });
    await charger.call('DataTransfer', { vendorId: 'com.example' });
    await charger.call('FirmwareStatusNotification', { status: 'Idle' });
    await charger.call('LogStatusNotification', { status: 'Idle' });
    await charger.call('SecurityEventNotification', { type: 'StartupOfTheDevice', timestamp });
    await charger.call('SignCertificate', { csr: '-----BEGIN' });
    await charger.call('Heartbeat', {});
    if (version === '2.1') {
        await charger.call('OpenPeriodicEventStream', {
            constantStreamData: { id: 1, params: { interval: 60 }, variableMonitoringId: 4 },
        });
        await charger.call('ClosePeriodicEventStream', { id: 1 });
        await charger.call('PullDynamicScheduleUpdate', { chargingProfileId: 1 });
        await charger.call('NotifyPriorityCharging', { transactionId: 'tx-1', activated: true });
    }
}

process.stdin.on('end', () => charger.close()).resume();
charger
    .connect()
    .then(version === '1.6' ? session : session2x)
    .then(() => console.log('READY'))
    .catch((error) => {
        console.error(`${error.stack}`);
        process.exit(1);
    });
